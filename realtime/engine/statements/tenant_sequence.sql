-- The first step of the oldest active sequence that silence starts.
select
    sequences.id as sequence_id,
    sequences.version,
    sequences.holdout_share,
    steps.step,
    steps.delay_minutes
from follow_up_sequences as sequences
inner join follow_up_steps as steps
    on steps.tenant_id = sequences.tenant_id
    and steps.sequence_id = sequences.id
    and steps.version = sequences.version
where sequences.tenant_id = %(tenant_id)s and sequences.is_active and sequences.trigger = 'silence'
order by sequences.created_at, sequences.id, steps.step
limit 1
