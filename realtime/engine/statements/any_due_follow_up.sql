-- Whether a follow-up is due at all. Most looks find none, and planning the question for all that decides one costs a
-- hundred times this answer.
select exists (select 1 from follow_ups where state = 'due') as is_any
