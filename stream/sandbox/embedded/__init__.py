"""What it takes to run other people's servers as child processes: a Java runtime, jars, ports, locks."""
