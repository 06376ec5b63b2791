"""What code a number depends on, derived from the sources: dnnlab's own (`digests`), and a user's (`user_code`)."""
