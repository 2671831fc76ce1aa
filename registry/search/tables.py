"""Tables of search. All of them can be made again from the catalogue and the providers (`rebuild`)."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Column, Identity, Index, Integer, SmallInteger, Text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field, SQLModel

from registry.tables import SCHEMA


def _key() -> Column[int]:
    return Column(BigInteger, primary_key=True, autoincrement=False)


class DocumentRow(SQLModel, table=True):
    """What is found: an entry in force (`doc_id` is its number) or a provider (`doc_id` is negative). Prices are fen, of a band by the
    least; without a price NULL and band 0."""

    __tablename__ = "search_document"
    __table_args__ = (
        Index("search_document_lexemes", "lexemes", postgresql_using="gin"),
        Index("search_document_provider", "provider"),
        {"schema": SCHEMA},
    )

    doc_id: int = Field(sa_column=_key())
    provider: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    categories: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    division: str = Field(sa_type=Text)
    price_from: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    price_to: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    band: int = Field(sa_column=Column(SmallInteger, nullable=False))
    rating: int = Field(sa_column=Column(SmallInteger, nullable=False))
    lexemes: str = Field(sa_column=Column(TSVECTOR, nullable=False))


class TextRow(SQLModel, table=True):
    """The folded texts of a document, which hits are judged by."""

    __tablename__ = "search_text"
    __table_args__ = ({"schema": SCHEMA},)

    doc_id: int = Field(sa_column=_key())
    name: str = Field(sa_type=Text)
    keywords: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)


class TermRow(SQLModel, table=True):
    """A word, how many documents have it, and its sound in pinyin where mistyped queries are corrected to it. The empty word counts all
    documents."""

    __tablename__ = "search_term"
    __table_args__ = (Index("search_term_sound", "sound", postgresql_where="sound <> ''"), {"schema": SCHEMA})

    term: str = Field(sa_type=Text, primary_key=True)
    documents: int = Field(sa_column=Column(Integer, nullable=False))
    sound: str = Field(sa_type=Text)


class NeighbourRow(SQLModel, table=True):
    """A word with at most one character taken out: two words that are one slip apart share such a form."""

    __tablename__ = "search_neighbour"
    __table_args__ = ({"schema": SCHEMA},)

    form: str = Field(sa_type=Text, primary_key=True)
    term: str = Field(sa_type=Text, primary_key=True)


class QueueRow(SQLModel, table=True):
    """A change that the index does not know yet, left by triggers in the transaction of the change. `entry_id` NULL is the provider: all
    of it, or its rating only."""

    __tablename__ = "search_queue"
    __table_args__ = ({"schema": SCHEMA},)

    queue_no: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    entry_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    provider: str = Field(sa_type=Text)
    rating_only: bool = False
