"""The services both servers run, on the official SDKs, with the same names and meaning."""
