"""`python -m llmerge_helpers.resolver`."""

from llmerge_helpers.resolver.tool import main

raise SystemExit(main())
