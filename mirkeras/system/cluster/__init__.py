"""Work on other machines, by Dask: the tasks that `--jobs` gives to processes go to its workers.

`words` reads what ``--cluster`` says and starts workers, `client` gives them work (`Cluster` is
what `mirkeras.system.jobs.Hands` asks for), `tasks` is what runs in them. Dask decides who does
what, and gives what a lost worker was at to another; here is no scheduler. Nothing of Dask is
imported by commands that do without.
"""
