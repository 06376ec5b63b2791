"""The scripts that one would write instead, in plain PyTorch, for whole commands of dnnlab."""
