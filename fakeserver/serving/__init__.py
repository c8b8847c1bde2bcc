"""A fake that is left running: the faked API and a control API beside it, on a socket."""
