"""The named architectures, one family a file; `dnnlab.nets.members` lists who is in them."""
