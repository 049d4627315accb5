-- Contacts.
-- Grain: one row per tenant_id, contact_id.
select
    tenant_id,
    contact_id,
    contact_hashes.wa_hash,
    contacts.instance_id,
    contacts.preferred_language,
    contacts.lead_grade,
    contacts.owner,
    contacts.handoff_reason,
    contacts.lead_intents,
    contacts.lead_score,
    contacts.lead_base,
    contacts.lead_inbound_count,
    contacts.lead_question_count,
    contacts.is_handed_off,
    contacts.opted_out_at is not null as is_opted_out,
    contacts.is_erased,
    contacts.first_message_at,
    contacts.last_message_at,
    contacts.last_inbound_at,
    contacts.last_outgoing_at,
    contacts.lead_scored_at,
    contacts.opted_out_at,
    contacts.created_at
from raw.contacts as contacts
left join raw.contact_hashes using (tenant_id, contact_id)
