"""What all shapes share, and the members that several of them have."""

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from accounts import conf

Handle = UUID
NAMES = {"email": "ana@example.com", "phone": "+12025550123"}
ANA = UUID("3f2b8a1e-6c1d-4e0f-9a51-0d5b9c7e2a44")
PASSWORD = "correct horse battery"  # noqa: S105  an example
CODE = "123456"
# Of form and query nothing is told from an empty box.
Empty = BeforeValidator(lambda sent: None if sent == "" else sent)
Text = Annotated[str | None, Empty]
Id = Annotated[UUID | None, Empty]


class Shape(BaseModel):
    """What is sent or answered. Of what is sent, `needed` says what an operation or its form does not do without."""

    model_config = ConfigDict(extra="ignore")
    needed: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell which members are needed: their absence is answered by the form, with its own sentence."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        properties = schema.get("properties", {})
        for name in cls.needed:
            properties[name] = _without_null(properties[name])
        if needed := [*schema.get("required", []), *cls.needed]:
            schema["required"] = needed
        return schema

    @property
    def sent(self) -> dict[str, Any]:
        """What was sent, as a form reads it: what was left out is empty."""
        return {name: "" if value is None else value for name, value in self}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a member that is needed."""
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    kinds = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    return {**kept, **(kinds[0] if kinds else {})}


def text(description: str, example: str, length: int | None = None) -> Any:
    """A member that is text, of this length at most before it is trimmed."""
    return Field(None, description=description, examples=[example], max_length=length)


EMAIL = text("An email address.", NAMES["email"], 320)
PHONE = text("A mobile number, with its country code.", NAMES["phone"], 64)
NEW_PASSWORD = text(f"At least {conf.PASSWORD_MIN_LENGTH} characters.", PASSWORD)
SIX_DIGITS = text(
    "The code that was sent; spaces and words around it do no harm.", CODE, conf.CODE_INPUT_MAX
)
APP = text(
    "What the app calls itself; its owner reads it in their list of devices.", "My Shop", 200
)
DEVICE_TOKEN = text("What an earlier sign-in on this device answered as `device_token`.", "")
ATTEMPT = Field(
    None,
    description="The `attempt` that the first call answered. Without it a stranger can use up the tries.",
    examples=[str(ANA)],
)
NAME = text("What the shopper is called, whole.", "Ana Maria Lopez", conf.NAME_MAX)
FIRST_NAME = text("The first part of the name.", "Ana Maria", conf.NAME_MAX)
LAST_NAME = text("The last part of the name.", "Lopez", conf.NAME_MAX)
USERNAME = text("A short name to sign in with.", "ana.shop", conf.USERNAME_MAX)


class Names(Shape):
    """What a shopper may be called."""

    first_name: Text = FIRST_NAME
    last_name: Text = LAST_NAME
    name: Text = NAME
    username: Text = USERNAME


class Device(Shape):
    """Which app it is, and which device."""

    app: Text = APP
    device_token: Text = DEVICE_TOKEN
