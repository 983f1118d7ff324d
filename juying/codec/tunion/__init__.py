"""The transit application 交通联合 (China T-Union): what its files hold, typed.

`fci` takes apart what SELECT answers, `files` the files 15, 16, 17 and 18, `trips` the records of 1E and 1A, `names`
has the words for the codes. Where each field stands is in the profile ``tunion``; the readers here forgive: a field
that makes no sense is a problem, the rest of the file is still there.
"""
