-- Follow-ups that are due, with everything the rule asks again before one is sent.
select
    follow_ups.tenant_id,
    follow_ups.id,
    follow_ups.run_id,
    follow_ups.sequence_id,
    follow_ups.contact_id,
    follow_ups.step,
    follow_ups.due_at,
    follow_ups.scheduled_at,
    steps.template,
    steps.condition,
    steps.delay_minutes,
    later.step as next_step,
    later.delay_minutes as next_delay_minutes,
    -- Who called the run off while its step before was decided could not see this one.
    sequences.is_active and runs.state = 'running' and coalesce(settings.follow_up_enabled, true)
        as is_sequence_active,
    sequences.quiet_from,
    sequences.quiet_until,
    contacts.name,
    contacts.phone,
    contacts.tags,
    contacts.attributes,
    contacts.lead_grade,
    contacts.owner,
    contacts.chat_id,
    contacts.preferred_language,
    contacts.last_inbound_at,
    contacts.is_handed_off or coalesce(contacts.paused_until > now(), contacts.owner = 'human') as is_handed_off,
    contacts.opted_out_at is not null as is_opted_out,
    -- What waits to be sent will be as unanswered as what was.
    contacts.automated_unanswered_count + (
        select count(*) from outbox
        where
            outbox.tenant_id = contacts.tenant_id
            and outbox.instance_id = contacts.instance_id
            and outbox.chat_id = contacts.chat_id
            and outbox.state in ('pending', 'sending', 'ambiguous')
            and outbox.kind in ('follow_up', 'campaign')
    ) as unanswered_count,
    contacts.timezone as contact_timezone,
    coalesce(settings.timezone, 'UTC') as tenant_timezone,
    settings.business_name,
    coalesce(settings.xmin::text || ':' || settings.knowledge_version, 'none') as tenant_version,
    instances.id as instance_id,
    instances.engine,
    instances.status = 'connected' as is_connected,
    instances.session_window_hours,
    episodes.id as episode_id,
    (
        select max(interactions.occurred_at) from interactions
        where
            interactions.tenant_id = follow_ups.tenant_id
            and interactions.contact_id = follow_ups.contact_id
            and interactions.author = 'human'
            and interactions.occurred_at > follow_ups.scheduled_at
    ) as last_human_at,
    exists (
        select 1 from consents
        where
            consents.tenant_id = follow_ups.tenant_id
            and consents.contact_id = follow_ups.contact_id
            and consents.kind = 'opt_in'
    ) as has_opted_in,
    exists (
        select 1 from appointments
        where
            appointments.tenant_id = follow_ups.tenant_id
            and appointments.contact_id = follow_ups.contact_id
            and appointments.status = 'booked'
            and appointments.booked_at > follow_ups.scheduled_at
    ) as has_booked
from follow_ups
inner join tenants
    on tenants.id = follow_ups.tenant_id and tenants.suspended_at is null and tenants.deleted_at is null
inner join follow_up_sequences as sequences
    on sequences.tenant_id = follow_ups.tenant_id and sequences.id = follow_ups.sequence_id
inner join follow_up_runs as runs
    on runs.tenant_id = follow_ups.tenant_id and runs.id = follow_ups.run_id
inner join follow_up_steps as steps
    on steps.tenant_id = follow_ups.tenant_id
    and steps.sequence_id = follow_ups.sequence_id
    and steps.version = runs.version
    and steps.step = follow_ups.step
inner join contacts on contacts.tenant_id = follow_ups.tenant_id and contacts.id = follow_ups.contact_id
inner join instances on instances.tenant_id = contacts.tenant_id and instances.id = contacts.instance_id
left join settings on settings.tenant_id = follow_ups.tenant_id
left join episodes
    on episodes.tenant_id = contacts.tenant_id and episodes.contact_id = contacts.id and episodes.closed_at is null
left join lateral (
    select following.step, following.delay_minutes
    from follow_up_steps as following
    where
        following.tenant_id = follow_ups.tenant_id
        and following.sequence_id = follow_ups.sequence_id
        and following.version = runs.version
        and following.step > follow_ups.step
    order by following.step
    limit 1
) as later on true
where follow_ups.state = 'due'
-- What waits for a number that is away must not fill every look: nobody else's would ever be decided.
order by instances.status <> 'connected', follow_ups.due_at
limit %(most)s
