"""What outlives a call: threads, disk, the device, limits.

The page and the shell both use it; it knows neither of them.
"""
