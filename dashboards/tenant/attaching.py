"""A picture, voice note or document that a colleague sends in a chat: what may be sent is said before and after."""

import hashlib
from functools import partial
from typing import Any, Final
from uuid import UUID

import streamlit as st

from dashboards import api, forms, parts, shell, toasts
from dashboards.api import ApiRefused
from dashboards.viewer import Viewer
from mychatflow.rules import attachment
from mychatflow.rules.attachment import EXTENSIONS, LONGEST_CAPTION, AttachmentRefused

_LARGEST_MB: Final = 10
_TAKEN_MB: Final = 30
_NOTHING: Final = "Nothing was sent"


def show(looking: Viewer, contact_id: UUID) -> None:
    """Beside the answer: choose, say what is below it, send."""
    field = shell.renewed(f"file-{contact_id}")
    with st.popover("Attach a file", type="tertiary", icon=":material/upload:"):
        # What the field itself refuses it only paints red: whatever comes is taken here and judged in words.
        chosen = st.file_uploader(
            f"A picture, voice note, video or document of at most {_LARGEST_MB} MB",
            max_upload_size=_TAKEN_MB,
            key=field,
            help="Documents: PDF, text, CSV, Word, Excel and PowerPoint.",
        )
        if chosen is not None and (fault := _fault(chosen)):
            st.html(parts.warned(fault))
        st.text_input("Words below it", max_chars=LONGEST_CAPTION, key=f"caption-{contact_id}")
        st.toggle("As a document", key=f"as-file-{contact_id}", help="A picture or recording goes out unaltered.")
        send = partial(_send, looking, contact_id, field)
        st.button("Send the file", type="primary", icon=":material/send:", key="send-file", on_click=send)


def _send(looking: Viewer, contact_id: UUID, field: str) -> None:
    chosen = forms.value(field)
    if chosen is None:
        toasts.refused("choose a file first.", what=_NOTHING)
        return
    caption, as_file = forms.typed(f"caption-{contact_id}"), bool(forms.value(f"as-file-{contact_id}"))
    try:
        kind = _judged(chosen, caption=caption, as_file=as_file)
        _ask(looking, contact_id, chosen, kind=kind, caption=caption, as_file=as_file)
    except (AttachmentRefused, ApiRefused) as refused:
        toasts.refused(f"{str(refused).rstrip('.')}.", what=_NOTHING)
        return
    toasts.done("The file is on its way.")
    shell.renew(f"file-{contact_id}")
    st.session_state[f"caption-{contact_id}"] = ""


def _fault(chosen: Any) -> str:
    """Why this file cannot be sent, whatever stands below it."""
    try:
        _judged(chosen, caption="", as_file=False)
    except AttachmentRefused as refused:
        return f"{str(refused)[:1].upper()}{str(refused)[1:]}."
    return ""


def _judged(chosen: Any, *, caption: str, as_file: bool) -> str:
    """Its media type. Raises AttachmentRefused in words for who chose it; the API asks the same once more."""
    data = chosen.getvalue()
    if not data:
        raise AttachmentRefused("file", "this file is empty")
    if len(data) > _LARGEST_MB << 20:
        raise AttachmentRefused(
            "file", f"this file has {len(data) / (1 << 20):.1f} MB; at most {_LARGEST_MB} are taken"
        )
    kind = attachment.kind_of(data, chosen.name)
    if kind is None:
        known = ", ".join(EXTENSIONS)
        raise AttachmentRefused("file", f"what is in {chosen.name} is none of the kinds that can be sent: {known}")
    attachment.judge(data, mimetype=kind, filename=chosen.name, caption=caption, as_file=as_file)
    return kind


def _ask(looking: Viewer, contact_id: UUID, chosen: Any, *, kind: str, caption: str, as_file: bool) -> None:
    where = {"filename": chosen.name[:255], "caption": caption, "as_file": str(as_file).lower()}
    # A second press after an answer that got lost is the same file: it is sent once.
    key = hashlib.sha256(repr((chosen.file_id, sorted(where.items()))).encode()).hexdigest()[:32]
    path = f"/conversations/{contact_id}/files"
    api.send_file(looking, path, chosen.getvalue(), kind=kind, key=key, where=where)
