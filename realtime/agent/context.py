"""What the model is told of this conversation, and what its answer is held against."""

from collections.abc import Mapping
from dataclasses import replace

from mychatflow.rules.guard import Evidence
from mychatflow.store.cipher import Unreadable
from realtime.agent import knowledge, prompt, tool_words
from realtime.agent.drafting import Brief
from realtime.agent.scene import Scene
from realtime.agent.tenants import Tenant
from realtime.agent.tools import Toolbox
from realtime.engine.work import Recent
from realtime.llm import presets
from realtime.llm.contract import Passage, Picture, ReplyRequest, Target, Turn

_REMEMBERED = 20
_MOST_PICTURES = 4
_WORDS_ALONE = frozenset({"text", "unknown"})


def brief(
    scene: Scene, *, available: frozenset[str], toolbox: Toolbox | None = None, near: tuple[str, ...] = ()
) -> Brief:
    """The request in the order that vendors can cache: rules and knowledge, history, then this turn."""
    tenant, question = scene.tenant, scene.understanding.text
    history = _history(scene)
    before = next((turn.text for turn in reversed(history) if turn.role == "user"), "")
    known = knowledge.for_question(tenant, question, before=before, near=near)
    menu, ahead, tools = (toolbox.menu, toolbox.ahead, toolbox.tools) if toolbox else ("", "", ())
    beside = prompt.context(
        known,
        at=scene.at,
        timezone=tenant.activation.timezone,
        language=scene.understanding.language,
        name=scene.chat.contact.name if scene.chat.contact else None,
        has_knowledge=bool(tenant.knowledge),
        opening=prompt.opening(tenant.activation, at=scene.at),
        ahead=ahead,
    )
    shown = _pictures(scene)
    targets = _targets(scene, available, must_see=bool(shown))
    if shown and targets == (presets.SANDBOX_TARGET,):
        # Nobody here can look at it: better said than guessed.
        shown, targets = (), _targets(scene, available)
        beside = f"{beside}\n{prompt.UNSEEN}"
    messages = (*history, Turn(role="user", text=beside), replace(prompt.customer(question), pictures=shown))
    mark = tenant.cipher.mark("prompt")
    system = prompt.system(tenant.switches, known, mark=mark, menu=menu)
    # The guard reads until the reply is covered: it repeats what was just asked or said far oftener than what is old.
    said = tuple(turn.text for turn in reversed(history))
    told = _written(known.passages), prompt.profile(tenant.switches), tool_words.without_ids(menu, beside)
    return Brief(
        request=replace(_request(scene, messages, system, targets), past=len(history), tools=tools),
        evidence=Evidence(
            texts=(*told, question, *said),
            instructions=prompt.rules(can_book=bool(menu)),
            canaries=(mark,),
            source_ids=frozenset(passage.id for passage in tenant.knowledge),
            banned=tuple(tenant.switches.banned_words),
        ),
        language=scene.understanding.language,
        supported=tenant.supported_languages,
        toolbox=toolbox,
        is_out_of_reach=bool(tenant.knowledge)
        and known.is_empty
        and toolbox is None
        and any(each.signals.is_question for each in scene.understanding.messages),
    )


def _written(passages: tuple[Passage, ...]) -> str:
    return "\n".join(f"{passage.title} {passage.body}" for passage in passages)


def _targets(scene: Scene, available: frozenset[str], *, must_see: bool = False) -> tuple[Target, ...]:
    switches, own_keys = scene.tenant.switches, scene.tenant.own_keys
    found = presets.targets(
        "vision" if must_see else switches.llm_preset,
        primary=(switches.primary_llm_provider, switches.primary_llm_model),
        fallback=(switches.fallback_llm_provider, switches.fallback_llm_model),
        available=available | own_keys.keys(),
        must_see=must_see,
    )
    return tuple(_with_own_key(target, own_keys) for target in found)


def _with_own_key(target: Target, own_keys: Mapping[str, tuple[str, str]]) -> Target:
    if target.provider not in own_keys:
        return target
    key_id, key = own_keys[target.provider]
    return replace(target, key_id=key_id, api_key=key)


def _request(scene: Scene, messages: tuple[Turn, ...], system: str, targets: tuple[Target, ...]) -> ReplyRequest:
    switches = scene.tenant.switches
    return ReplyRequest(
        tenant_id=scene.tenant_id,
        turn_id=scene.turn_id,
        system=system,
        messages=messages,
        targets=targets,
        temperature=switches.ai_temperature,
        max_tokens=switches.ai_max_tokens,
        attempt_timeout=switches.llm_timeout_ms / 1000,
        total_timeout=switches.llm_total_timeout_ms / 1000,
        knowledge=scene.tenant.knowledge,
        hedging=switches.hedging_enabled,
        language=scene.understanding.language,
        daily_budget_micro_usd=scene.tenant.purse.daily_budget_micro_usd,
    )


def _pictures(scene: Scene) -> tuple[Picture, ...]:
    """What the customer shows in this turn, the latest where there are many."""
    files = (each.file for each in scene.reading.customer if not each.message.is_sticker)
    shown = [
        Picture(mimetype=file.mimetype, data=file.data) for file in files if file and file.is_picture and file.data
    ]
    return tuple(shown[-_MOST_PICTURES:])


def opened(message: Recent, tenant: Tenant) -> str:
    """The text of an earlier message; nothing when it was erased."""
    if message.content is None:
        return ""
    try:
        return tenant.cipher.decrypt(message.content, row_id=message.id)
    except Unreadable:
        return ""


def _history(scene: Scene) -> tuple[Turn, ...]:
    """The latest messages before those that are answered now."""
    now = {each.interaction_id for each in scene.reading.customer}
    before = [message for message in scene.chat.recent if message.id not in now][-_REMEMBERED:]
    turns: list[Turn] = []
    for message in before:
        text = opened(message, scene.tenant)
        is_customer = message.direction == "incoming"
        if is_customer and message.content is not None and message.type not in _WORDS_ALONE:
            # A picture without words was sent all the same, and "how much is this one?" may follow.
            text = f"[{message.type}] {text}".strip()
        if not text:
            continue
        turns.append(prompt.customer(text) if is_customer else Turn(role="assistant", text=text))
    return tuple(turns)
