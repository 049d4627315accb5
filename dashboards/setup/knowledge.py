"""What the agent may say: quick replies, documents, and the questions that neither could answer."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboards import forms, parts, shell, states, toasts, wording
from dashboards.parts import Column
from dashboards.setup import data, teaching
from dashboards.setup.data import Rows
from dashboards.viewer import Viewer

_PARTS = ("Quick replies", "Documents", "Unanswered")
# A form in a dialog was saved: the dialog closes on its next run.
_DONE = "knowledge-form-done"
_ADDRESS = "document-address"
_IN_VAIN = {"clarify": "The agent had to ask back", "handoff": "The agent gave it to a person"}
_TONES: dict[str, parts.Tone] = {"ready": "good", "pending": "warn", "failed": "bad"}


def show(looking: Viewer, *, at: datetime) -> None:
    """One part at a time; the address says which."""
    st.html(parts.page_title("Knowledge", "Numbers, prices and promises in a reply must come from here"))
    chosen = st.segmented_control(
        "Part", _PARTS, default=_PARTS[0], required=True, key="part", bind="query-params", label_visibility="collapsed"
    )
    with st.container(border=True, key="card-knowledge"):
        match chosen:
            case "Documents":
                _documents(looking, at=at)
            case "Unanswered":
                _questions(looking, at=at)
            case _:
                _texts(looking, at=at)


def _texts(looking: Viewer, *, at: datetime) -> None:
    rows = data.texts(looking.tenant_id)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html(parts.card_title("Quick replies", "Select one to change it. The agent knows it with the next message"))
        if st.button("New quick reply", type="primary", icon=":material/add:", key="new-text"):
            _open_text(looking, None)
    if not rows:
        states.empty("Nothing taught yet", "Write your opening hours, prices and address first: most ask for these.")
        return
    shown = [
        {
            "Title": row["title"],
            "Text": _line(row["body"]),
            "Language": wording.language(row["language"]),
            "Tags": wording.listed(row["tags"]) if row["tags"] else "",
            "In use": row["is_active"],
            "Changed": wording.ago(row["updated_at"], at=at),
        }
        for row in rows
    ]
    row = _selected(shown, "texts", alt=f"Table of {len(rows)} quick replies.")
    if row is not None:
        _open_text(looking, rows[row])


def _open_text(looking: Viewer, row: dict[str, Any] | None) -> None:
    title = "Change a quick reply" if row else "A new quick reply"
    dialog = st.dialog(title, width="large", on_dismiss=partial(shell.renew, "texts"))
    dialog(partial(_text_form, looking, row))()


def _text_form(looking: Viewer, row: dict[str, Any] | None) -> None:
    if st.session_state.pop(_DONE, False):
        _close("texts")
    known = row or {"title": "", "body": "", "language": _language(looking), "tags": ()}
    mark = str(known.get("id", "new"))
    st.text_input("Title", known["title"], max_chars=200, key=f"title-{mark}", placeholder="Opening hours")
    st.text_area("Text", known["body"], max_chars=20_000, height=180, key=f"body-{mark}", placeholder="We are open …")
    left, right = st.columns(2)
    left.text_input("Language", known["language"], max_chars=2, key=f"language-{mark}")
    right.text_input("Tags, separated by commas", ", ".join(known["tags"]), key=f"tags-{mark}")
    if row:
        st.toggle("In use", row["is_active"], key=f"active-{mark}", help="A resting text answers nobody.")
    with st.container(horizontal=True):
        st.button("Save", type="primary", key=f"save-{mark}", on_click=_save, args=(looking, row))
        if row:
            forget = partial(_forget, looking, row["id"])
            st.button("Delete", icon=":material/delete:", key=f"delete-{mark}", on_click=forget)


def _save(looking: Viewer, row: dict[str, Any] | None) -> None:
    """What stands in the form now."""
    mark = row["id"] if row else "new"
    typed = {name: st.session_state[f"{name}-{mark}"] for name in ("title", "body", "language", "tags")}
    wanted = teaching.Text(**typed, is_active=st.session_state.get(f"active-{mark}", True))
    st.session_state[_DONE] = teaching.change_text(looking, row, wanted) if row else teaching.new_text(looking, wanted)


def _forget(looking: Viewer, text_id: UUID) -> None:
    st.session_state[_DONE] = teaching.delete_text(looking, text_id)


def _documents(looking: Viewer, *, at: datetime) -> None:
    rows = data.files(looking.tenant_id)
    st.html(parts.card_title("Documents", "Price lists, menus, terms and web pages, read within seconds"))
    left, right = st.columns(2)
    with left.form("upload", border=False):
        field = shell.renewed("document-file")
        # What the field itself refuses it only paints red: whatever comes is taken here and judged in words.
        wanted = f"A text, Markdown, PDF or Word file of at most {teaching.LARGEST_MB} MB"
        st.file_uploader(wanted, max_upload_size=3 * teaching.LARGEST_MB, key=field)
        upload = partial(_upload, looking, field)
        st.form_submit_button("Upload", icon=":material/upload:", on_click=upload)
    with right.form("address", border=False):
        st.text_input("A public web page", max_chars=2_000, placeholder="https://", key=_ADDRESS)
        st.form_submit_button("Read it", icon=":material/link:", on_click=_add_page, args=(looking,))
    if not rows:
        states.empty("No document yet", "Whatever you upload is cut into passages that answers can quote.")
        return
    columns = [Column(title=name) for name in ("Document", "State", "Changed")] + [
        Column(title="Passages", is_number=True)
    ]
    cells = [
        (
            f"{wording.escaped(row['title'])}<br><small>{wording.escaped(row['source_url'] or row['kind'])}</small>",
            _state(row),
            wording.ago(row["updated_at"], at=at),
            f"{row['chunk_count']:,}",
        )
        for row in rows
    ]
    st.html(parts.table(columns, cells, label="Documents"))
    _forget_one(looking, rows)


def _upload(looking: Viewer, field: str) -> None:
    file = forms.value(field)
    if file is None:
        toasts.refused("choose a file first.")
    elif teaching.upload(looking, file.name, file.getvalue(), language=_language(looking)):
        shell.renew("document-file")


def _add_page(looking: Viewer) -> None:
    """What was typed stays when it is refused."""
    if teaching.add_page(looking, forms.typed(_ADDRESS), language=_language(looking)):
        st.session_state[_ADDRESS] = ""


def _state(row: dict[str, Any]) -> str:
    why = f"<br><small>{wording.escaped(row['failure'])}</small>" if row["failure"] else ""
    return parts.status(wording.words(row["status"]), _TONES.get(row["status"], "quiet")) + why


def _forget_one(looking: Viewer, rows: Rows) -> None:
    uploaded = {row["id"]: wording.clock(row["created_at"], looking.timezone) for row in rows}
    by_id = wording.told_apart({row["id"]: row["title"] for row in rows}, uploaded.__getitem__)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Forget a document", list(by_id), index=None, format_func=by_id.__getitem__, key=shell.renewed("forget")
        )
        if st.button("Forget it", disabled=chosen is None, key="forget-document") and chosen is not None:
            _close_if(teaching.delete_document(looking, chosen), "forget")


def _questions(looking: Viewer, *, at: datetime) -> None:
    rows = data.questions(looking.tenant_id)
    st.html(parts.card_title("Unanswered questions", "Asked in vain. Teach the answer once, and the next one gets it"))
    if not rows:
        states.empty("Nobody asked in vain", "Questions that the knowledge does not answer are listed here.")
        return
    for row in rows[:50]:
        _question(looking, row, at=at)


def _question(looking: Viewer, row: dict[str, Any], *, at: datetime) -> None:
    mark: UUID = row["id"]
    with st.expander(shell.plain(_line(row["words"])) or "The question is no longer kept", key=f"question-{mark}"):
        asked = f"{_why(row['reason'])} · {wording.language(row['language'])} · {wording.ago(row['asked_at'], at=at)}"
        st.caption(shell.plain(asked))
        answer = st.text_area("The answer", max_chars=20_000, key=f"answer-{mark}")
        title = st.text_input("Title", _line(row["words"]), max_chars=200, key=f"question-title-{mark}")
        with st.container(horizontal=True):
            wanted = teaching.Text(title=title, body=answer, language=row["language"], tags="", is_active=True)
            if st.button("Teach it", type="primary", key=f"teach-{mark}"):
                is_taught = teaching.answer(looking, mark, wanted)
                if is_taught:
                    toasts.done_then("Taught: it is a quick reply now, and the agent knows it with the next message.")
                _close_if(is_taught, "questions")
            if st.button("Let it go", type="tertiary", key=f"dismiss-{mark}"):
                _close_if(teaching.dismiss(looking, mark), "questions")


def _why(reason: str) -> str:
    """Why the question counts as asked in vain."""
    return _IN_VAIN.get(reason, f"Its answer was stopped by a check: {wording.words(reason).lower()}")


def _language(looking: Viewer) -> str:
    return str(data.settings(looking.tenant_id).get("default_language") or "en")


def _line(text: str) -> str:
    """The first words, for a cell or a heading."""
    return " ".join(text.split())[:200]


def _selected(rows: Rows, name: str, *, alt: str) -> int | None:
    column = st.column_config
    found = st.dataframe(
        rows,
        hide_index=True,
        height="content",
        row_height=34,
        key=shell.renewed(name),
        on_select="rerun",
        selection_mode="single-row",
        alt=alt,
        column_config={
            "Title": column.TextColumn(width="medium"),
            "Text": column.TextColumn(width="large"),
            "Language": column.TextColumn(width="small"),
        },
    )["selection"]["rows"]
    return int(found[0]) if found else None


def _close_if(is_done: bool, name: str) -> None:
    if is_done:
        _close(name)


def _close(name: str) -> None:
    """What was changed is read anew, and the dialog that changed it closes."""
    shell.renew(name)
    st.rerun()
