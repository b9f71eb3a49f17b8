"""How large what an app takes is, for each platform."""
