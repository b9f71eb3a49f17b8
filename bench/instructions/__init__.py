"""Instructions a word on 64-bit Arm, counted by an emulator: this project's and its peers'."""
