"""What holds for all tests."""

import signal

# a shell starts what it runs in the background with this signal ignored, and so would be all that tests interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
