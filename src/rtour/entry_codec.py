"""Codecs of journal values, under the official SDK's module name."""

from rtour.sdk.codec import JournalValueCodec, JournalValueCodecProvider

__all__ = ["JournalValueCodec", "JournalValueCodecProvider"]
