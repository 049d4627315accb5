-- Until when the published numbers are complete.
select max(data_through) as data_through
from ops.publications
