"""A forecast in words."""

import html

from mlm_gui.errors import UserError
from mlm_gui.services.jobs.preflight import Forecast
from mlm_gui.ui.run_text import format_bytes, format_duration


def forecast_text(forecast: Forecast) -> str:
    """A short list, as Markdown: can it work, how long, how much memory and disk, and what happens to the text."""
    lines = [
        f"**! This cannot work.** {' '.join(forecast.reasons)}"
        if forecast.reasons
        else "**✓ This can work.**"
    ]
    if forecast.seconds is not None:
        lines.append(
            f"- about **{format_duration(forecast.seconds)}** (minutes:seconds) for {forecast.total_steps:,} steps on {forecast.device}"
        )
    else:
        lines.append(f"- {forecast.total_steps:,} steps. {forecast.note}")
    if forecast.memory:
        free = (
            f"; {format_bytes(forecast.memory_free)} more are free" if forecast.memory_free else ""
        )
        lines.append(f"- memory: {format_bytes(forecast.memory)} at most{free}")
    lines.append(
        f"- disk: up to {format_bytes(forecast.disk)} for checkpoints and model; {format_bytes(forecast.disk_free)} are free"
    )
    passes = "1 pass" if forecast.epochs == 1 else f"{forecast.epochs} passes"
    lines.append(
        f"- text: {passes} over {forecast.num_tokens:,} pieces (tokens) of {forecast.num_paragraphs:,} {'paragraph' if forecast.num_paragraphs == 1 else 'paragraphs'}; {forecast.num_held_out:,} are kept unseen"
    )
    if forecast.tutorial_mode:
        lines.append(
            "- as taught: what is longer than the model reads is cut away, and short paragraphs are filled up with padding"
        )
    elif forecast.num_split:
        lines.append(
            f"- long paragraphs are cut into {forecast.num_split:,} parts more; nothing is dropped"
        )
    else:
        lines.append("- no paragraph is too long; nothing is dropped")
    if forecast.no_verdict:
        lines.append(f"- **! {forecast.no_verdict}**")
    return "\n".join(lines)


def refusal(error: UserError) -> str:
    """Why nothing was measured; escaped, since it may quote what a visitor typed."""
    said = html.escape(str(error), quote=False)
    return "**! This cannot work.** " + "".join(
        f"\\{sign}" if sign in "*_[]`<>\\" else sign for sign in said
    )
