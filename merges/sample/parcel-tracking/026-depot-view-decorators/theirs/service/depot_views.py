"""Pages about depots."""

from flask import Blueprint, jsonify, request

from service.access import requires_role
from service.cache import cached
from service.store import depots, parcels

pages = Blueprint("depots", __name__)


@pages.get("/depots")
def list_depots():
    return jsonify([depot.to_dict() for depot in depots.all()])


@pages.get("/depots/<code>/parcels")
@requires_role("dispatcher")
def depot_parcels(code: str):
    """All the parcels that lie in one depot, the oldest first."""
    depot = depots.get_or_404(code)
    found = parcels.in_depot(depot.code)
    found.sort(key=lambda parcel: parcel.arrived_at)
    return jsonify([parcel.to_dict() for parcel in found])


@pages.post("/depots/<code>/close")
@requires_role("manager")
def close_depot(code: str):
    depots.get_or_404(code).close(request.json["reason"])
    return "", 204
