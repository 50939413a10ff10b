"""`python -m pipelines` is the `targeting` command."""

from pipelines.cli import main

main()
