"""A child for tests: answers 16 with its body, `n` × on 17, dies on 18, hangs on 19, fails the exchange on 20."""

import os
import sys
import time

from voxbus_providers.errors import ProviderMissing, ProviderRejected
from voxbus_providers.pipe import ChildPipe

if __name__ == "__main__":
    pipe = ChildPipe()
    if "missing" in sys.argv:
        pipe.fault(0, ProviderMissing("echo", "the Debian package libecho1"))
        sys.exit(0)
    if "broken" in sys.argv:
        sys.exit(7)
    print("a library prints this", flush=True)  # noqa: T201 - must not reach the pipe
    pipe.ready()
    for message in pipe.messages():
        match message.kind:
            case 16:
                pipe.send(message.exchange, 16, message.body)
            case 17:
                for number in range(message.body[0]):
                    pipe.send(message.exchange, 17, bytes([number]))
            case 18:
                os._exit(9)
            case 19:
                time.sleep(60)
            case 20:
                pipe.fault(message.exchange, ProviderRejected("echo", "no such thing"))
            case _:
                pass
