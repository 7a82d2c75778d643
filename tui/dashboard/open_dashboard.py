"""Starts the dashboard over the servers of deploy.toml."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.catalogue import Language
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.ssh.malloc_arenas import use_one_malloc_arena
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.connections import ConnectionRegistry
from sovdeck.tui.services.live.services import live_services
from sovdeck.tui.shell.keymap import check_keymap
from sovdeck.tui.shell.settings import load_settings


def open_dashboard(
    project: Path | None,
    language: Language | None,
    *,
    app_paths: AppPaths | None = None,
    start: str = "",
) -> int:
    """Run the dashboard until it is left; a broken deploy.toml raises before it opens.

    language: by `--lang`; None is that of the settings, else the system's.
    start: the first screen; empty is the last one seen, and Servers where no server is saved.
    """
    use_one_malloc_arena()
    found_paths = app_paths or AppPaths.locate()
    servers = ConnectionRegistry(project, found_paths).config().servers.values()
    any_server = any(not server.embedded for server in servers)
    path = found_paths.config_folder / "settings.toml"
    with live_services(project, found_paths) as services:
        settings = load_settings(path)
        check_keymap(path, settings.keys)
        first = start or (settings.screen if any_server else "servers")
        app = SovdeckApp(
            services, settings=settings, settings_path=path, start=first, language=language
        )
        app.run()
    return app.exit_code
