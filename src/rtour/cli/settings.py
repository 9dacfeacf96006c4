"""Which server, and how: flags over environment over project file over user file.

Restate's own variables and configuration file work as they are. Every value remembers where it
came from, so that `rtour info` can say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from rtour.cli.diagnostics import Misuse

if TYPE_CHECKING:  # importing the client at run time would load httpx for `rtour config`
    from rtour.client import Connection

LOCAL = "local"
DEFAULT_ADMIN = "http://127.0.0.1:9070"
DEFAULT_INGRESS = "http://127.0.0.1:8080"
PROJECT_FILE = ".rtour.toml"
ADMIN_VARIABLES = ("RTOUR_ADMIN_URL", "RESTATE_ADMIN_URL")
INGRESS_VARIABLES = ("RTOUR_INGRESS_URL", "RESTATE_INGRESS_URL")
# The last one is the server's own: a shell that starts a server can talk to it.
TOKEN_VARIABLES = ("RTOUR_AUTH_TOKEN", "RESTATE_AUTH_TOKEN", "RTOUR_ADMIN_TOKEN")
INGRESS_TOKEN_VARIABLES = ("RTOUR_INGRESS_TOKEN",)
CA_VARIABLES = ("RTOUR_CA_FILE", "SSL_CERT_FILE")
# In the order in which they are told; a token is told as being set.
SHOWN = ("environment", "admin_url", "ingress_url", "token", "ingress_token", "ca_file")
ADD_ENVIRONMENT = "rtour config add-environment {} --admin-url URL"


class Setting(msgspec.Struct, frozen=True):
    """A value and where it was found."""

    value: str | None
    origin: str


NO_ADMIN = Setting(DEFAULT_ADMIN, "default")
NO_INGRESS = Setting(DEFAULT_INGRESS, "default")
NOT_SET = Setting(None, "not set")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is in use."""

    environment: Setting
    admin_url: Setting
    ingress_url: Setting
    token: Setting
    ingress_token: Setting
    ca_file: Setting
    user_file: Path
    project_file: Path | None
    certificate: str | None = None
    """The file of a server's own certificate, if we started that server."""

    @property
    def ingress_guessed(self) -> bool:
        """Whether only the admin API was named, so that the server must say where the other is."""
        return self.ingress_url.origin == "default" and self.admin_url.origin != "default"

    def connection(self, options: Mapping[str, Any]) -> Connection:
        """How the client connects."""
        from rtour.client import Connection  # noqa: PLC0415

        return Connection(
            admin_url=self.admin_url.value or DEFAULT_ADMIN,
            ingress_url=self.ingress_url.value or DEFAULT_INGRESS,
            token=self.token.value,
            ingress_token=self.ingress_token.value,
            ca_file=self.ca_file.value,
            certificate=self.certificate,
            connect_timeout_s=options.get("connect_timeout", 3_000) / 1000,
            request_timeout_s=options.get("request_timeout", 13_000) / 1000,
            verify_tls=not options.get("insecure", False),
        )


def resolve(options: Mapping[str, Any], env: Mapping[str, str], cwd: Path) -> Settings:
    """Settles every setting."""
    files = list(_files(env, cwd))
    project = files[0][0] if files and files[0][0].name == PROJECT_FILE else None
    environment = _environment(options, env, files)
    tables = list(_tables(environment, files))
    # An environment named by flag outranks the variables: `-e staging` must not reach elsewhere.
    flagged = bool(options.get("environment"))
    if not tables and environment.value != LOCAL and (flagged or not _addressed(options, env)):
        name = str(environment.value)
        raise Misuse(
            f"no environment '{name}' (from {environment.origin})",
            expected=f"one of {', '.join(environments(files))}",
            hint=ADD_ENVIRONMENT.format(name),
        )

    def setting(flag: str, key: str, variables: tuple[str, ...], *defaults: Setting) -> Setting:
        found = [_entry(table, path, key) for path, table in tables]
        given = _variable(env, *variables)
        ordered = (*found, given) if flagged else (given, *found)
        return _first(_flag(options, flag), *ordered, *defaults)

    admin = setting("admin_url", "admin_base_url", ADMIN_VARIABLES, *_host(env, 9070), NO_ADMIN)
    ingress = setting(
        "ingress_url", "ingress_base_url", INGRESS_VARIABLES, *_host(env, 8080), NO_INGRESS
    )
    token = setting("token", "bearer_token", TOKEN_VARIABLES, NOT_SET)
    ingress_token = setting(
        "ingress_token", "ingress_bearer_token", INGRESS_TOKEN_VARIABLES, NOT_SET
    )
    ca_file = setting("ca_file", "ca_file", CA_VARIABLES, NOT_SET)
    if project:
        token = _withheld(token, project, admin)
        # The admin API tells where the ingress is: whoever chose the one chose the other.
        ingress_token = _withheld(ingress_token, project, admin, ingress)
    return Settings(
        environment=environment,
        admin_url=_absolute(admin),
        ingress_url=_absolute(ingress),
        token=token,
        ingress_token=ingress_token,
        ca_file=ca_file,
        user_file=user_file(env),
        project_file=project,
    )


def _withheld(token: Setting, project: Path, *servers: Setting) -> Setting:
    """A file that comes with a checkout must not be able to send the user's token elsewhere."""
    chosen = any(server.origin == str(project) for server in servers)
    if chosen and token.value and token.origin != str(project):
        return Setting(None, f"withheld: {PROJECT_FILE} chose the server")
    return token


def config_home(env: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/rtour`."""
    if chosen := env.get("RTOUR_CONFIG_HOME"):
        return Path(chosen)
    return Path(env.get("XDG_CONFIG_HOME") or _home(env) / ".config") / "rtour"


def state_home(env: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/rtour`: histories."""
    return Path(env.get("XDG_STATE_HOME") or _home(env) / ".local" / "state") / "rtour"


def user_file(env: Mapping[str, str]) -> Path:
    """The user's own configuration file."""
    return config_home(env) / "config.toml"


def environments(files: list[tuple[Path, dict[str, Any]]]) -> list[str]:
    """The names of all configured environments."""
    names = [LOCAL]
    for _, content in files:
        for name, table in content.items():
            if isinstance(table, dict) and name not in ("global", "default", *names):
                names.append(name)
    return names


def read_files(env: Mapping[str, str], cwd: Path) -> list[tuple[Path, dict[str, Any]]]:
    """All configuration files in force, strongest first."""
    return list(_files(env, cwd))


def _files(env: Mapping[str, str], cwd: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    project = next(
        (p for folder in (cwd, *cwd.parents) if (p := folder / PROJECT_FILE).is_file()), None
    )
    official_home = Path(env.get("RESTATE_CLI_CONFIG_HOME") or _home(env) / ".config" / "restate")
    official = Path(env.get("RESTATE_CLI_CONFIG") or official_home / "config.toml")
    for path in (project, user_file(env), official):
        if path is not None and path.is_file():
            yield path, _read(path)


def _read(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - most users have no file

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misuse(f"{path} is not valid TOML: {error}", hint="rtour config edit") from error


def _environment(
    options: Mapping[str, Any], env: Mapping[str, str], files: list[tuple[Path, dict[str, Any]]]
) -> Setting:
    chosen = config_home(env) / "environment"
    return _first(
        _flag(options, "environment"),
        _variable(env, "RTOUR_ENVIRONMENT", "RESTATE_ENVIRONMENT"),
        *(_entry(content.get("global", {}), path, "environment") for path, content in files),
        Setting(chosen.read_text("utf-8").strip(), str(chosen)) if chosen.is_file() else None,
        Setting(LOCAL, "default"),
    )


def _tables(
    environment: Setting, files: list[tuple[Path, dict[str, Any]]]
) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path, content in files:
        table = content.get(str(environment.value))
        if isinstance(table, dict):
            yield path, table


def _addressed(options: Mapping[str, Any], env: Mapping[str, str]) -> bool:
    """Whether the admin URL is known without any environment."""
    names = (*ADMIN_VARIABLES, "RESTATE_HOST")
    return bool(options.get("admin_url")) or any(env.get(name) for name in names)


def _host(env: Mapping[str, str], port: int) -> list[Setting]:
    host = env.get("RESTATE_HOST")
    scheme = env.get("RESTATE_HOST_SCHEME", "http")
    return [Setting(f"{scheme}://{host}:{port}", "$RESTATE_HOST")] if host else []


def _flag(options: Mapping[str, Any], name: str) -> Setting | None:
    value = options.get(name)
    return Setting(str(value), f"--{name.replace('_', '-')}") if value else None


def _variable(env: Mapping[str, str], *names: str) -> Setting | None:
    return next((Setting(env[name], f"${name}") for name in names if env.get(name)), None)


def _entry(table: Mapping[str, Any], path: Path, key: str) -> Setting | None:
    value = table.get(key)
    return Setting(value, str(path)) if isinstance(value, str) and value else None


def _first(*candidates: Setting | None) -> Setting:
    return next(each for each in candidates if each is not None)


def _absolute(setting: Setting) -> Setting:
    """`localhost:9070` is enough of an address."""
    value = setting.value or ""
    if not value.startswith("unix:") and "://" not in value:
        value = f"http://{value}"
    if not value.startswith("unix:") and not _has_host(value):
        raise Misuse(
            f"'{setting.value}' (from {setting.origin}) is not an address",
            expected="a URL such as http://localhost:9070",
        )
    return Setting(value.rstrip("/"), setting.origin)


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # an open bracket, a port that is no number
        return False


def _home(env: Mapping[str, str]) -> Path:
    return Path(env["HOME"]) if env.get("HOME") else Path.home()
