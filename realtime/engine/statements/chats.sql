-- What a turn must know of each claimed chat: number, plan, contact, open episode and the latest messages.
select
    given.n,
    now() as read_at,
    instances.session as number_session,
    instances.engine as number_engine,
    instances.status as number_status,
    instances.sends_per_minute as number_sends_per_minute,
    instances.restricted_until as number_restricted_until,
    instances.last_event_at as number_last_event_at,
    instances.base_url as number_base_url,
    instances.api_key as number_api_key,
    tenants.plan,
    tenants.suspended_at is not null or tenants.deleted_at is not null as is_suspended,
    tenants.deleted_at is not null
    and not exists (select from tenant_keys where tenant_keys.tenant_id = given.tenant_id) as is_given_up,
    -- Changes with every update of the settings, whoever makes it.
    coalesce(settings.xmin::text || ':' || settings.knowledge_version, 'none') as tenant_version,
    coalesce(usage_days.used, 0) as used_today,
    usage_days.usage_date as counted_on,
    coalesce(replies.reply_count, 0)::integer as replies_last_hour,
    exists (select 1 from instances as ours where ours.wa_id = given.wa_id) as is_own_number,
    contacts.id as contact_id,
    contacts.wa_id as contact_wa_id,
    contacts.name as contact_name,
    contacts.phone as contact_phone,
    contacts.lead_score as contact_lead_score,
    contacts.lead_grade as contact_lead_grade,
    contacts.lead_inbound_count as contact_lead_inbound_count,
    contacts.lead_question_count as contact_lead_question_count,
    contacts.lead_intents as contact_lead_intents,
    contacts.lead_reply_latencies as contact_lead_reply_latencies,
    contacts.lead_awaiting_reply_since as contact_lead_awaiting_reply_since,
    contacts.lead_last_inbound_at as contact_lead_last_inbound_at,
    contacts.is_handed_off as contact_is_handed_off,
    contacts.owner as contact_owner,
    contacts.paused_until as contact_paused_until,
    contacts.preferred_language as contact_preferred_language,
    contacts.language_locked_at as contact_language_locked_at,
    contacts.opted_out_at as contact_opted_out_at,
    contacts.session_expires_at as contact_session_expires_at,
    contacts.away_period as contact_away_period,
    contacts.timezone as contact_timezone,
    contacts.first_message_at as contact_first_message_at,
    contacts.last_message_at as contact_last_message_at,
    episodes.id as episode_id,
    episodes.has_answer as episode_has_answer,
    episodes.is_waiting as episode_is_waiting,
    episodes.waiting_since as episode_waiting_since,
    episodes.handoff_reason as episode_handoff_reason,
    episodes.inbound_count as episode_inbound_count,
    episodes.agent_reply_count as episode_agent_reply_count,
    episodes.human_reply_count as episode_human_reply_count,
    episodes.started_at as episode_started_at,
    episodes.first_reply_at as episode_first_reply_at,
    episodes.last_inbound_at as episode_last_inbound_at,
    episodes.last_reply_at as episode_last_reply_at,
    recent.ids as recent_ids,
    recent.times as recent_times,
    recent.directions as recent_directions,
    recent.authors as recent_authors,
    recent.types as recent_types,
    recent.contents as recent_contents
from jsonb_to_recordset(coalesce(nullif(current_setting('mychatflow.chats', true), ''), '[]')::jsonb) as given (
    n integer, tenant_id uuid, instance_id uuid, chat_id text, wa_id text
)
inner join instances on instances.tenant_id = given.tenant_id and instances.id = given.instance_id
inner join tenants on tenants.id = given.tenant_id
left join settings on settings.tenant_id = given.tenant_id
left join usage_days
    on usage_days.tenant_id = given.tenant_id and usage_days.usage_date = (now() at time zone 'UTC')::date
left join lateral (
    select * from contacts as direct
    where direct.tenant_id = given.tenant_id and direct.wa_id = given.wa_id
    union all
    select known.* from contact_identities
    inner join contacts as known
        on known.tenant_id = contact_identities.tenant_id and known.id = contact_identities.contact_id
    where
        contact_identities.tenant_id = given.tenant_id
        and contact_identities.kind = case when given.wa_id like '%%@lid' then 'lid' else 'phone' end
        and contact_identities.value
            = case when given.wa_id like '%%@lid' then given.wa_id else '+' || split_part(given.wa_id, '@', 1) end
    limit 1
) as contacts on true
left join episodes
    on episodes.tenant_id = given.tenant_id and episodes.contact_id = contacts.id and episodes.closed_at is null
left join lateral (
    select
        array_agg(latest.id order by latest.occurred_at, latest.direction) as ids,
        array_agg(latest.occurred_at order by latest.occurred_at, latest.direction) as times,
        array_agg(latest.direction order by latest.occurred_at, latest.direction) as directions,
        array_agg(latest.author order by latest.occurred_at, latest.direction) as authors,
        array_agg(latest.type order by latest.occurred_at, latest.direction) as types,
        array_agg(latest.content order by latest.occurred_at, latest.direction) as contents
    from (
        select
            interactions.id,
            interactions.occurred_at,
            interactions.direction,
            interactions.author,
            interactions.type,
            case when interactions.revoked_at is null and interactions.status <> 'failed' then interactions.content end
                as content
        from interactions
        where
            interactions.tenant_id = given.tenant_id
            and interactions.contact_id = contacts.id
            -- Older partitions need not be opened at all.
            and interactions.occurred_at > now() - interval '60 days'
        order by interactions.occurred_at desc
        -- Beside its memory a turn sees which of its open messages an earlier attempt stored: a long burst that is
        -- begun anew must neither be counted twice nor push the conversation out.
        limit 30 + (
            select count(*)
            from inbox
            where
                inbox.tenant_id = given.tenant_id
                and inbox.instance_id = given.instance_id
                and inbox.chat_id = given.chat_id
                and inbox.state = 'open'
                and inbox.lane = 'message'
        )
    ) as latest
) as recent on true
left join lateral (
    select count(*) as reply_count
    from interactions
    where
        settings.reply_rate_per_contact_hour > 0
        and interactions.tenant_id = given.tenant_id
        and interactions.contact_id = contacts.id
        and interactions.occurred_at > now() - interval '1 hour'
        and interactions.author = 'agent'
        and interactions.part_of is null
        and interactions.status <> 'failed'
) as replies on true
