"""`python -m stream.cli`: the program `loyalty`."""

from stream.cli import main

if __name__ == "__main__":
    main()
