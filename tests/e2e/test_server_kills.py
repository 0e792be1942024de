#!/usr/bin/env python3
"""Ten times kill -9 under load.

llmlab-test: threads serial timeout=300
"""

import kills

if __name__ == "__main__":
    kills.main()
