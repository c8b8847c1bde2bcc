"""Whether the model could have answered as a recorded service did, and how late its events were."""
