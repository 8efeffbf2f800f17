"""python3 tools/million: the folder of tools is where modules are found."""
import os
import sys

sys.dont_write_bytecode = True
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from million.cli import main  # noqa: E402  pylint: disable=wrong-import-position

sys.exit(main())
