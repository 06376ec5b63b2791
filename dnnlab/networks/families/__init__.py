"""The named architectures, one family per file; `dnnlab.networks.members` lists their members."""
