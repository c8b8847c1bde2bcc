"""Many workers for one search: processes of this machine, or those of a cluster."""
