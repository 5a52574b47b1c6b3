"""The look: a Gradio theme in our colours, the stylesheet, and the components' scripts."""

from __future__ import annotations

import gradio as gr

from mlm_gui.core.assets import ASSETS

SHEETS = ("page", "runs", "masks", "small_screens", "exam_and_compare")
"""The stylesheets in assets/css. A later one wins, so their order counts."""
STYLES = [ASSETS / "css" / f"{name}.css" for name in SHEETS]

SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]


def theme() -> gr.themes.Base:
    """Gradio's own controls in the colours of `page.css`.

    Its variables follow the theme, so that each value is written once.
    """
    look = gr.themes.Base(
        font=SANS,
        font_mono=MONO,
        text_size=gr.themes.sizes.text_md,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_md,
    )
    return look.set(**_both(PAIRED), **SINGLE)


def script(*names: str) -> str:
    """The text of `assets/js/NAME.js`, `dom` first: what a component runs when it is mounted."""
    return "\n".join((ASSETS / "js" / f"{name}.js").read_text("utf-8") for name in ("dom", *names))


def _both(values: dict[str, str]) -> dict[str, str]:
    """The same value for light and dark: our variables change by themselves."""
    return {**values, **{f"{name}_dark": value for name, value in values.items()}}


PAIRED = {
    "body_background_fill": "var(--paper)",
    "body_text_color": "var(--ink)",
    "body_text_color_subdued": "var(--soft)",
    "background_fill_primary": "var(--card)",
    "background_fill_secondary": "var(--paper)",
    "border_color_primary": "var(--line)",
    "border_color_accent": "var(--accent)",
    "border_color_accent_subdued": "var(--line)",
    "color_accent_soft": "var(--special-bg)",
    "link_text_color": "var(--accent)",
    "link_text_color_hover": "var(--accent)",
    "link_text_color_active": "var(--accent)",
    "link_text_color_visited": "var(--accent)",
    "code_background_fill": "var(--special-bg)",
    "accordion_text_color": "var(--ink)",
    "block_background_fill": "transparent",
    "block_border_color": "var(--line)",
    "block_border_width": "0px",
    "block_info_text_color": "var(--soft)",
    "block_label_background_fill": "transparent",
    "block_label_border_width": "0px",
    "block_label_text_color": "var(--soft)",
    "block_title_background_fill": "transparent",
    "block_title_border_width": "0px",
    "block_title_text_color": "var(--soft)",
    "block_shadow": "none",
    "panel_background_fill": "transparent",
    "panel_border_width": "0px",
    "table_text_color": "var(--ink)",
    "table_border_color": "var(--line)",
    "table_even_background_fill": "var(--card)",
    "table_odd_background_fill": "var(--paper)",
    "table_row_focus": "var(--special-bg)",
    "input_background_fill": "var(--paper)",
    "input_background_fill_focus": "var(--paper)",
    "input_background_fill_hover": "var(--paper)",
    "input_border_color": "var(--edge)",
    "input_border_color_focus": "var(--accent)",
    "input_border_color_hover": "var(--soft)",
    "input_border_width": "1px",
    "input_placeholder_color": "var(--soft)",
    "input_shadow": "none",
    "input_shadow_focus": "none",
    "loader_color": "var(--accent)",
    "slider_color": "var(--accent)",
    "stat_background_fill": "var(--accent)",
    "checkbox_background_color": "var(--paper)",
    "checkbox_background_color_focus": "var(--paper)",
    "checkbox_background_color_hover": "var(--paper)",
    "checkbox_background_color_selected": "var(--accent)",
    "checkbox_border_color": "var(--soft)",
    "checkbox_border_color_focus": "var(--accent)",
    "checkbox_border_color_hover": "var(--accent)",
    "checkbox_border_color_selected": "var(--accent)",
    "checkbox_label_background_fill": "transparent",
    "checkbox_label_background_fill_hover": "var(--special-bg)",
    "checkbox_label_background_fill_selected": "var(--special-bg)",
    "checkbox_label_border_color": "var(--edge)",
    "checkbox_label_border_color_hover": "var(--soft)",
    "checkbox_label_border_color_selected": "var(--accent)",
    "checkbox_label_border_width": "1px",
    "checkbox_label_text_color": "var(--ink)",
    "checkbox_label_text_color_selected": "var(--ink)",
    "checkbox_label_shadow": "none",
    "error_background_fill": "var(--card)",
    "error_border_color": "var(--random)",
    "error_text_color": "var(--random)",
    "error_icon_color": "var(--random)",
    "button_border_width": "1px",
    "button_primary_background_fill": "var(--accent)",
    "button_primary_background_fill_hover": "var(--accent-hover)",
    "button_primary_border_color": "var(--accent)",
    "button_primary_border_color_hover": "var(--accent-hover)",
    "button_primary_text_color": "var(--card)",
    "button_primary_text_color_hover": "var(--card)",
    "button_secondary_background_fill": "var(--card)",
    "button_secondary_background_fill_hover": "var(--special-bg)",
    "button_secondary_border_color": "var(--edge)",
    "button_secondary_border_color_hover": "var(--soft)",
    "button_secondary_text_color": "var(--ink)",
    "button_secondary_text_color_hover": "var(--ink)",
    "button_cancel_background_fill": "var(--card)",
    "button_cancel_background_fill_hover": "var(--random-bg)",
    "button_cancel_border_color": "var(--random)",
    "button_cancel_border_color_hover": "var(--random)",
    "button_cancel_text_color": "var(--random)",
    "button_cancel_text_color_hover": "var(--random)",
}
SINGLE = {
    "color_accent": "var(--accent)",
    "block_radius": "12px",
    "block_padding": "0px",
    "block_label_padding": "0 0 4px",
    "block_label_text_size": "13px",
    "block_title_text_size": "13px",
    "block_title_text_weight": "400",
    "block_info_text_size": "12.5px",
    "container_radius": "12px",
    "input_radius": "8px",
    "input_padding": "8px 10px",
    "input_text_size": "15px",
    "layout_gap": "14px",
    "form_gap_width": "0px",
    "button_large_radius": "8px",
    "button_medium_radius": "8px",
    "button_small_radius": "8px",
    "button_large_padding": "8px 16px",
    "button_medium_padding": "8px 14px",
    "button_small_padding": "5px 10px",
    "button_large_text_size": "14px",
    "button_medium_text_size": "14px",
    "button_small_text_size": "13px",
    "button_large_text_weight": "600",
    "button_medium_text_weight": "600",
    "button_small_text_weight": "600",
    "section_header_text_size": "14.5px",
    "section_header_text_weight": "400",
}
