"""Series of points over ranks and threads, and a cost model fitted on them."""
