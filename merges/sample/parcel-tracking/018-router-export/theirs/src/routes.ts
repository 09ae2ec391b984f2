import { Router } from "express";
import { findParcel } from "./parcels";
import { recount } from "./admin";

const publicRouter = Router();

publicRouter.get("/parcels/:code", async (req, res) => {
  const parcel = await findParcel(req.params.code);
  if (parcel === undefined) {
    res.status(404).json({ error: "unknown parcel" });
    return;
  }
  res.json(parcel);
});

const adminRouter = Router();

adminRouter.post("/recount", async (_req, res) => {
  res.json({ changed: await recount() });
});

export default publicRouter;