-- All that the tenant's agent may say of itself: quick replies first, then the parts of its documents.
select id, title, body, language from (
    select id, title, body, language, 1 as place, created_at, 0 as position
    from quick_replies
    where tenant_id = %(tenant_id)s and is_active
    union all
    select
        document_chunks.id,
        coalesce(nullif(document_chunks.heading, ''), documents.title) as title,
        document_chunks.body,
        documents.language,
        2 as place,
        documents.created_at,
        document_chunks.position
    from document_chunks
    inner join documents
        on documents.tenant_id = document_chunks.tenant_id
        and documents.id = document_chunks.document_id
        and documents.status = 'ready'
    where document_chunks.tenant_id = %(tenant_id)s
) as knowledge
order by place, created_at, position, id
