-- How long until the next free chat is due; nothing when none waits.
select extract(epoch from due_at - clock_timestamp())::float8 as seconds
from chat_leases
where due_at is not null and leased_until is null
order by due_at
limit 1
