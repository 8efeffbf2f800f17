"""python3 tools/compare. Modules are found in the folder of tools and in that of the peers."""
import os
import sys

TOOLS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[0] = TOOLS
sys.path.append(os.path.join(os.path.dirname(TOOLS), "bench", "peers"))

from compare.cli import main  # noqa: E402  pylint: disable=wrong-import-position

sys.exit(main())
