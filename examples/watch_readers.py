"""Follow readers and cards for a number of seconds (default: until Ctrl-C); survives a restart of the service."""

import sys

import juying

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
with juying.ReaderMonitor() as monitor:
    for event in monitor.watch(timeout=seconds):
        print(event.text, flush=True)
