"""The people of an assignment, dealt to parts that hold whole people, as arrays. It must not decide."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, reduce
from pathlib import Path

from models.errors import DataError
from pipelines.engines.people import PeopleEngine, PeopleParts
from pipelines.jobs.assign_source import Source
from pipelines.shell import Tell
from pipelines.store import disk
from pipelines.store.people_parts import read_dealt, read_people, seal_folders, write_people
from targeting.assignment.crowd import People
from targeting.assignment.everybody import Everybody
from targeting.assignment.limits import rows_of
from targeting.assignment.offers import Layout, Offers


def dealt_people(
    source: Source, where: PeopleEngine, work: Path, *, part_rows: int, tell: Tell
) -> tuple[Path, ...]:
    """Folders of the arrays of the people of the table, dealt to parts."""
    tell("dealing people to parts")
    dealt = where.deal(source.files, work / "rows", part_rows=part_rows)
    if source.options is None:
        layouts = where.ask(partial(_layout, source=source), dealt)
        layout = reduce(Layout.merged, layouts)
    else:
        layout = Layout(tuple((name,) for name in sorted(source.options)), {})
    tell("making offers")
    folders = tuple(work / f"people-{number:05d}" for number in range(len(dealt)))
    where.ask(partial(_arrays, source=source, layout=layout, folders=folders), dealt)
    disk.remove(work / "rows")
    seal_folders(folders)
    return folders


def everybody_of(source: Source, where: PeopleEngine, folders: tuple[Path, ...]) -> Everybody:
    """The people of dealt parts."""
    rows = tuple(replace(row, use=()) for row in read_people(folders[0]).rows)
    everybody = Everybody.over(rows, PeopleParts(where, folders))
    if not everybody.size:
        raise DataError(f"{source.table}: nobody can be offered anything; expected eligible people")
    return everybody


def _layout(part: Path, number: int, *, source: Source) -> Layout:
    return source.layout(read_dealt(part))


def _arrays(part: Path, number: int, *, source: Source, layout: Layout, folders: tuple[Path, ...]) -> None:
    """Writes the arrays of a part."""
    offers = Offers.of(source.offers(read_dealt(part)), layout)
    rows = rows_of(offers, budget_cny=source.campaign.budget_cny, limits=source.limits)
    people = People(offers.users, offers.placements, offers.worth, rows=rows, packages=offers.packages)
    write_people(people.possible(), folders[number])
