-- A worker that starts again is the heir of the one of the same name: that one's chats need not wait for its leases.
update chat_leases set leased_until = now() - interval '1 second'
where leased_until is not null and leased_by = %(worker)s
