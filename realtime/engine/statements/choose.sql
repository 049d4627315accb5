-- Which chats the statements after this one read, each tenant_id among them: for this transaction alone.
select set_config('mychatflow.chats', %(chats)s, true)
