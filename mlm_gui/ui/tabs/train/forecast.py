"""A forecast in words."""

import html

from mlm_gui.core.formatting import format_bytes, format_duration
from mlm_gui.errors import UserError
from mlm_gui.services.jobs.preflight import Forecast


def forecast_text(forecast: Forecast) -> str:
    """A short list, as Markdown: can it work, how long, how much room, what happens to the text."""
    lines = [
        _verdict(forecast),
        f"- {_time(forecast)}",
        *([f"- {_memory(forecast)}"] if forecast.memory else []),
        f"- disk: up to {format_bytes(forecast.disk)} for checkpoints and model; "
        f"{format_bytes(forecast.disk_free)} are free",
        f"- {_text(forecast)}",
        f"- {_cut(forecast)}",
    ]
    if forecast.no_verdict:
        lines.append(f"- **! {forecast.no_verdict}**")
    return "\n".join(lines)


def _verdict(forecast: Forecast) -> str:
    if forecast.reasons:
        return f"**! This cannot work.** {' '.join(forecast.reasons)}"
    return "**✓ This can work.**"


def _time(forecast: Forecast) -> str:
    if forecast.seconds is None:
        return f"{forecast.total_steps:,} steps. {forecast.note}"
    return (
        f"about **{format_duration(forecast.seconds)}** (minutes:seconds) "
        f"for {forecast.total_steps:,} steps on {forecast.device}"
    )


def _memory(forecast: Forecast) -> str:
    free = f"; {format_bytes(forecast.memory_free)} more are free" if forecast.memory_free else ""
    return f"memory: {format_bytes(forecast.memory or 0)} at most{free}"


def _text(forecast: Forecast) -> str:
    passes = "1 pass" if forecast.epochs == 1 else f"{forecast.epochs} passes"
    paragraphs = "paragraph" if forecast.num_paragraphs == 1 else "paragraphs"
    return (
        f"text: {passes} over {forecast.num_tokens:,} pieces (tokens) of "
        f"{forecast.num_paragraphs:,} {paragraphs}; {forecast.num_held_out:,} are kept unseen"
    )


def _cut(forecast: Forecast) -> str:
    if forecast.tutorial_mode:
        return (
            "as taught: what is longer than the model reads is cut away, "
            "and short paragraphs are filled up with padding"
        )
    if forecast.num_split:
        return f"long paragraphs are cut into {forecast.num_split:,} parts more; nothing is dropped"
    return "no paragraph is too long; nothing is dropped"


def refusal(error: UserError) -> str:
    """Why nothing was measured; escaped, since it may quote what a visitor typed."""
    sentences = html.escape(str(error), quote=False)
    as_typed = "".join(f"\\{sign}" if sign in "*_[]`<>\\" else sign for sign in sentences)
    return f"**! This cannot work.** {as_typed}"
