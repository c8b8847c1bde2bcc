"""The key-time coverage map: what each request could have returned, over time, as a picture."""
