"""`loyalty mcp`: the tool that AI agents ask."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from stream.cli.invocation import ConfigOption, DebugOption, JsonLogsOption, invocation

PORT = 8081


def mcp(
    context: typer.Context,
    over_http: Annotated[
        bool, typer.Option("--http", help="Serve HTTP (with an API key) instead of stdin and stdout.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="With --http: the address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="With --http; 0: any free port.")] = PORT,
    config: ConfigOption = None,
    json_logs: JsonLogsOption = False,
    debug: DebugOption = False,
) -> None:
    """Answer AI agents by the Model Context Protocol: check_points and explain_points.

    On stdin and stdout, as an agent's program starts it; with --http at /mcp for whoever sends an API key.
    """
    called = replace(invocation(context, config, debug), json_logs=json_logs, ends_by_itself=False)
    if over_http:
        called.configured(lambda points, settings: points.agent_tool_http(settings, host=host, port=port))
    else:
        called.configured(lambda points, settings: points.agent_tool(settings))
