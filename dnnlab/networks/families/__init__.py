"""The named architectures, one family a file; `dnnlab.networks.members` lists who is in them."""
