"""`doit bench accuracy`: how often our variants and the alternatives are wrong, how long they take, how big they are.

A **contender** pronounces the words of one language at a time (`contenders`; `engines` has a file for each kind).
`command` asks all of them for the same words (`words`) and compares what they say with dictionaries. `notation` is for
those who write other symbols than the dictionaries. `report` and `plot` show what came of it.
"""
