"""`/deployments`: register, list, change, remove."""

from __future__ import annotations

import re
from typing import Final

from rtour import ids
from rtour.errors import InvalidId
from rtour.server.admin import bodies
from rtour.server.admin.bodies import (
    AdminError,
    RegisterBody,
    UpdateBody,
    bad_field,
    unprocessable,
)
from rtour.server.admin.models import (
    Deployments,
    deployment_detail,
    deployment_summary,
    registered,
)
from rtour.server.admin.replies import ok, reply
from rtour.server.registration import DeploymentUpdate, NewDeployment, Registration
from rtour.server.registry import Registry
from rtour.server.web import Reply, Request

_NO_VARIANT: Final = "data did not match any variant of untagged enum RegisterDeploymentRequest"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ARN_PARTS: Final = 8
_NO_VERSION: Final = (
    "A qualified ARN needs a version or alias suffix. If you want to use the unpublished version, "
    "provide $LATEST and make sure your shell doesn't treat it as a variable"
)


class DeploymentEndpoints:
    def __init__(self, registry: Registry, registration: Registration) -> None:
        self._registry = registry
        self._registration = registration

    async def list_deployments(self, _request: Request, _version: int) -> Reply:
        summaries = [deployment_summary(one) for one in self._registry.deployments()]
        return ok(Deployments(deployments=summaries))

    async def create_deployment(self, request: Request, version: int) -> Reply:
        body = bodies.read(request, bodies.REGISTER)
        _check_headers(body.additional_headers)
        # The second version of the API overwrites unless told not to, and has its own statuses.
        old = version == 2
        force = old if body.force is None else body.force
        deployment, created = await self._registration.register(_new(body, force=force))
        if old and not created and not force:
            raise AdminError(409, f"Conflict: deployment {deployment.id} already exists")
        status = 201 if created or (old and force) else 200
        answer = reply(status, registered(deployment, self._registry.defaults))
        answer.headers.append((b"location", f"deployments/{deployment.id}".encode()))
        return answer

    async def get_deployment(self, _request: Request, _version: int, id_: str) -> Reply:
        _check_id(id_)
        deployment = self._registry.deployment(id_)
        if deployment is None:
            raise AdminError(404, f"The requested deployment '{id_}' does not exist")
        return ok(deployment_detail(deployment, self._registry.defaults))

    async def update_deployment(self, request: Request, _version: int, id_: str) -> Reply:
        _check_id(id_)
        body = bodies.read(request, bodies.UPDATE)
        _check_headers(body.additional_headers)
        update = DeploymentUpdate(
            uri=_address(body),
            assume_role_arn=body.assume_role_arn,
            additional_headers=body.additional_headers,
            use_http_11=body.use_http_11,
            overwrite=body.overwrite,
            dry_run=body.dry_run,
        )
        deployment = await self._registration.update(id_, update)
        return ok(deployment_detail(deployment, self._registry.defaults))

    async def replace_deployment(self, request: Request, version: int, id_: str) -> Reply:
        if version != 2:
            raise AdminError(405, "PUT deployment is deprecated, use PATCH instead")
        _check_id(id_)
        body = bodies.read(request, bodies.REGISTER)
        update = DeploymentUpdate(
            uri=_address(body),
            assume_role_arn=body.assume_role_arn,
            additional_headers=body.additional_headers,
            use_http_11=body.use_http_11,
            overwrite=True,
            dry_run=body.dry_run,
        )
        deployment = await self._registration.update(id_, update)
        return ok(deployment_detail(deployment, self._registry.defaults))

    async def delete_deployment(self, request: Request, _version: int, id_: str) -> Reply:
        _check_id(id_)
        if not bodies.flag(request, "force"):
            raise AdminError(
                501,
                "removing a deployment that may still be in use is only possible by force: "
                "wait until no invocation is bound to it, then repeat with force=true",
            )
        await self._registration.remove(id_)
        return Reply(202, [])


def _new(body: RegisterBody, *, force: bool) -> NewDeployment:
    address = _address(body)
    if address is None:
        raise unprocessable(_NO_VARIANT)
    return NewDeployment(
        uri=address,
        assume_role_arn=body.assume_role_arn,
        additional_headers=body.additional_headers or {},
        metadata=body.metadata or {},
        use_http_11=body.use_http_11,
        breaking=body.breaking,
        force=force,
        dry_run=body.dry_run,
    )


def _check_headers(headers: dict[str, str] | None) -> None:
    for name, value in (headers or {}).items():
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise unprocessable(_NO_VARIANT)


def _address(body: RegisterBody | UpdateBody) -> str | None:
    """The URL, or the ARN of a Lambda function."""
    if body.uri is not None:
        if body.uri.startswith("arn:"):
            raise bad_field("uri", "an ARN is given as 'arn'")
        return body.uri
    if body.arn is not None:
        _check_arn(body.arn)
    return body.arn


def _check_arn(arn: str) -> None:
    parts = arn.split(":")
    reason = None
    if len(parts) == _ARN_PARTS - 1 and parts[5] == "function":
        reason = _NO_VERSION
    elif len(parts) != _ARN_PARTS or not all(parts):
        reason = "A qualified ARN must have 8 components delimited by `:`"
    elif parts[0] != "arn":
        reason = "First component of the ARN must be `arn`"
    elif parts[2] != "lambda":
        reason = "ARN must be for the lambda service"
    elif parts[5] != "function":
        reason = "ARN must refer to a `function` resource"
    if reason is not None:
        raise bad_field("arn", reason)


def _check_id(id_: str) -> None:
    try:
        ids.parse_deployment_id(id_)
    except InvalidId as error:
        raise AdminError(
            400, f"Invalid URL: Cannot parse `deployment` with value `{id_}`: {error}"
        ) from error
