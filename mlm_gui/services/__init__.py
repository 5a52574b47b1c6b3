"""What outlives a call: threads, disk, the device, limits. No page here: the shell and the page both stand on it."""
