#!/usr/bin/env python3
"""Two hundred times kill -9 under load.

llmlab-test: threads long serial timeout=1200
"""

import os

os.environ.setdefault("LLMLAB_KILLS", "200")

import kills  # noqa: E402

if __name__ == "__main__":
    kills.main()
